-- A duel that nobody was asked for; it begins or expires like any other.
-- KEYS: duel, deadlines. ARGV: duel id, state, deadline
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'version', 1, 'state', ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
end
