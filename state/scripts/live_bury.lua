-- Forget a node that holds no seat any more, unless it came back meanwhile.
-- KEYS: nodes, gone, node. ARGV: node id, the last beat that was seen.
if redis.call('HLEN', KEYS[3]) > 0 or redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('SREM', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
