-- Takes one of ARGV[1] attempts and answers 0; with none left, answers the ms until all are
-- back. Each attempt taken starts the ARGV[2] ms anew, so those of the last are the lock.
local taken = tonumber(redis.call('GET', KEYS[1]) or 0)
if taken >= tonumber(ARGV[1]) then
  return math.max(1, redis.call('PTTL', KEYS[1]))
end
redis.call('SET', KEYS[1], taken + 1, 'PX', ARGV[2])
return 0
