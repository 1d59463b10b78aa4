-- What was read replaces its reader's mark, unless that is gone.
-- KEYS: copy. ARGV: mark, what was read, seconds
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
return 0
