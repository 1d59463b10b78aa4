-- What of a room is not archived.
-- KEYS: stream, changes, archived, pending. ARGV: how many of each.
-- Returns {the last archived entry, {entry, body} of each after it, {entry, change} of each}.
local stream, changes, archived, pending = unpack(KEYS)
local last = redis.call('GET', archived) or '0-0'
local entries, changed = {}, {}
for i, entry in ipairs(redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', ARGV[1])) do
  entries[i] = {entry[1], entry[2][2]}
end
for i, entry in ipairs(redis.call('ZRANGE', pending, 0, ARGV[1] - 1)) do
  changed[i] = {entry, redis.call('HGET', changes, entry)}
end
return {last, entries, changed}
