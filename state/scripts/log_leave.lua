-- A session's connection is gone; for a while it can be taken up again, unless it
-- goes on over another connection already.
-- KEYS: session. ARGV: connection, when it went (ms), ms that it is kept
if redis.call('HGET', KEYS[1], 'connection') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'left', ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
