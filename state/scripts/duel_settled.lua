-- What followed from a duel's end is done: forget it in its time.
-- KEYS: duel, outbox. ARGV: duel id, seconds that an ended duel is kept.
if redis.call('ZREM', KEYS[2], ARGV[1]) == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
