-- A session that can be taken up again from now on.
-- KEYS: session, last, epoch. ARGV: sid, connection, player, epoch to begin if there is none, rooms…
-- Returns the newest id: later ones are above it, even if the clock is set back.
redis.call('SET', KEYS[3], ARGV[4], 'NX')
local now, last = now_ms(), redis.call('GET', KEYS[2]) or '0'
local start = place_in_log(last, now)
redis.call('HSET', KEYS[1], 'sid', ARGV[1], 'connection', ARGV[2], 'player', ARGV[3],
  'epoch', redis.call('GET', KEYS[3]), 'start', start, 'since', now)
for i = 5, #ARGV do
  redis.call('HSET', KEYS[1], 'r:' .. ARGV[i], start)
end
return last
