-- A session that can be taken up again from now on.
-- KEYS: session, last, epoch. ARGV: sid, connection, player, epoch to begin if there is none, rooms…
redis.call('SET', KEYS[3], ARGV[4], 'NX')
local now = now_ms()
local start = place_in_log(redis.call('GET', KEYS[2]), now)
redis.call('HSET', KEYS[1], 'sid', ARGV[1], 'connection', ARGV[2], 'player', ARGV[3],
  'epoch', redis.call('GET', KEYS[3]), 'start', start, 'since', now)
for i = 5, #ARGV do
  redis.call('HSET', KEYS[1], 'r:' .. ARGV[i], start)
end
return start
