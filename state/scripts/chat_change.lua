-- Lays a change over an entry, if nobody was faster and the entry is still there.
-- KEYS: stream, changes, archived, dirty, pending
-- ARGV: room, entry, the rev that was read, the change
-- Returns 1, or 0 when it has to be read again.
local stream, changes, archived, dirty, pending = unpack(KEYS)
local room, entry = ARGV[1], ARGV[2]
if #redis.call('XRANGE', stream, entry, entry) == 0 then
  return 0
end
local rev = string.match(redis.call('HGET', changes, entry) or '0', '^%d+')
if rev ~= ARGV[3] then
  return 0
end
redis.call('HSET', changes, entry, ARGV[4])
redis.call('ZADD', pending, string.match(entry, '^%d+'), entry)
if redis.call('ZADD', dirty, 'NX', now_ms(), room) == 1 then
  for _, key in ipairs({stream, changes, archived}) do
    redis.call('PERSIST', key)
  end
end
return 1
