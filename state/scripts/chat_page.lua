-- The newest entries of a range with what was changed about them, read at one moment.
-- KEYS: stream, changes. ARGV: newest, oldest, how many.
-- Returns {entry, body, change or ''} of each, newest first.
local page = {}
for i, entry in ipairs(redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])) do
  page[i] = {entry[1], entry[2][2], redis.call('HGET', KEYS[2], entry[1]) or ''}
end
return page
