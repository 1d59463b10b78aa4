-- Nodes to clean up after, with their last beat.
-- KEYS: nodes, gone. ARGV: lease in ms, '1' to judge by leases too.
local dead = {}
for _, node in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local beat = redis.call('ZSCORE', KEYS[1], node)
  if beat then
    dead[#dead + 1] = {node, tonumber(beat)}
  else
    redis.call('SREM', KEYS[2], node)
  end
end
if ARGV[2] == '1' then
  local late = redis.call('ZRANGE', KEYS[1], '-inf', now_ms() - tonumber(ARGV[1]), 'BYSCORE', 'WITHSCORES')
  for i = 1, #late, 2 do
    if redis.call('SISMEMBER', KEYS[2], late[i]) == 0 then
      dead[#dead + 1] = {late[i], tonumber(late[i + 1])}
    end
  end
end
return dead
