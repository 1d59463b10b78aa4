-- A session that is still there gets or loses rooms (from this moment on) and watched players.
-- KEYS: session, last. ARGV: how many fields are added, fields to add…, fields to take away…
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local now, added = place_in_log(redis.call('GET', KEYS[2]), now_ms()), tonumber(ARGV[1])
for i = 2, added + 1 do
  redis.call('HSETNX', KEYS[1], ARGV[i], now)
end
for i = added + 2, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[i])
end
return 1
