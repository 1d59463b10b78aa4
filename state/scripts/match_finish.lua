-- A pair fights, or does not: whoever is first to say so puts back who goes on waiting, in
-- his old place, and forgets the others.
-- KEYS: queue, pairs, pair, waits. ARGV: key prefix, pair id, '1' if they fight, how many
--       waits are kept, for how many seconds, the two, then who of them goes on waiting
-- Returns how long those who fight have waited, in ms.
if redis.call('DEL', KEYS[3]) == 0 then
  return {}
end
redis.call('ZREM', KEYS[2], ARGV[2])
local now, waited, back = now_ms(), {}, {}
for i = 8, #ARGV do
  back[ARGV[i]] = true
end
for i = 6, 7 do
  local ticket = ARGV[1] .. 'ticket:' .. ARGV[i]
  local since = redis.call('HGET', ticket, 'since')
  if back[ARGV[i]] then
    redis.call('HSET', ticket, 'state', 'waiting')
    redis.call('ZADD', KEYS[1], since, ARGV[i])
  else
    redis.call('DEL', ticket)
  end
  if ARGV[3] == '1' then
    waited[#waited + 1] = now - since
    redis.call('LPUSH', KEYS[4], now - since)
  end
end
redis.call('LTRIM', KEYS[4], 0, ARGV[4] - 1)
redis.call('EXPIRE', KEYS[4], ARGV[5])
return waited
