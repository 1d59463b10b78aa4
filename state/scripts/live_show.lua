-- A player shows himself another way, as long as he is here.
-- KEYS: player. ARGV: status.
if tonumber(redis.call('HGET', KEYS[1], 'sockets') or '0') > 0 then
  redis.call('HSET', KEYS[1], 'status', ARGV[1])
end
