-- Whoever is about to make a newer copy takes the old one away by his mark; marks stay.
-- KEYS: copy. ARGV: mark, its seconds, how marks begin…. Returns whether it is marked.
local found = redis.call('GET', KEYS[1])
local first = found and found:sub(1, 1)
if first and (first == ARGV[3] or first == ARGV[4]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
