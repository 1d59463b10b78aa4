-- Set a duel's deadline again, unless somebody saved it meanwhile and set his own.
-- KEYS: duel, deadlines. ARGV: duel id, version, deadline ('' for none).
local version = redis.call('HGET', KEYS[1], 'version')
if version and version ~= ARGV[2] then
  return 0
end
if not version or ARGV[3] == '' then
  return redis.call('ZREM', KEYS[2], ARGV[1])
end
return redis.call('ZADD', KEYS[2], 'XX', ARGV[3], ARGV[1])
