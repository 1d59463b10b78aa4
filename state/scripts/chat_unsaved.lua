-- What of a room is not archived.
-- KEYS: stream, changes, archived, pending. ARGV: how many of each, bytes after which it is enough.
-- Returns {the last archived entry, {entry, body} of each after it, {entry, change} of each,
-- whether there may be more than these}.
local stream, changes, archived, pending = unpack(KEYS)
local most, enough = tonumber(ARGV[1]), tonumber(ARGV[2])
local last = redis.call('GET', archived) or '0-0'
local entries, changed, bytes, newest = {}, {}, 0, last
repeat
  -- Few at a time: what is read here and then too much is read in vain.
  local count = math.min(most - #entries, 20)
  local some = redis.call('XRANGE', stream, '(' .. newest, '+', 'COUNT', count)
  for _, entry in ipairs(some) do
    table.insert(entries, {entry[1], entry[2][2]})
    bytes, newest = bytes + #entry[2][2], entry[1]
    if bytes >= enough then
      break
    end
  end
until #some == 0 or #entries == most or bytes >= enough
for i, entry in ipairs(redis.call('ZRANGE', pending, 0, most - 1)) do
  changed[i] = {entry, redis.call('HGET', changes, entry)}
end
local more = #entries == most or bytes >= enough or #changed == most
return {last, entries, changed, more and 1 or 0}
