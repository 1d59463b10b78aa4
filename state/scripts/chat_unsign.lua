-- Writes another author over a player's messages of a room: the same entries, anew.
-- KEYS: stream. ARGV: player, author (JSON). Returns the number of messages.
local stream = KEYS[1]
local author = cjson.decode(ARGV[2])
local entries, count = redis.call('XRANGE', stream, '-', '+'), 0
for _, entry in ipairs(entries) do
  local body = cjson.decode(entry[2][2])
  if body.from.id == ARGV[1] then
    body.from = author
    entry[2][2] = cjson.encode(body)
    count = count + 1
  end
end
if count == 0 then
  return 0
end
local newest = redis.call('XINFO', 'STREAM', stream)
local last
for i = 1, #newest, 2 do
  if newest[i] == 'last-generated-id' then
    last = newest[i + 1]
  end
end
local ttl = redis.call('PTTL', stream)
redis.call('DEL', stream)
for _, entry in ipairs(entries) do
  redis.call('XADD', stream, entry[1], unpack(entry[2]))
end
redis.call('XSETID', stream, last)
if ttl > 0 then
  redis.call('PEXPIRE', stream, ttl)
end
return count
