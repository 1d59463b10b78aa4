-- A room was archived up to an entry, with some changes: what follows from that in Redis.
-- KEYS: stream, changes, archived, dirty, pending
-- ARGV: room, the entry, entries to keep, ms to keep a quiet room, then each change that
--       was archived as entry and change
local stream, changes, archived, dirty, pending = unpack(KEYS)
local room, last = ARGV[1], ARGV[2]

local function parts(entry)
  local ms, seq = string.match(entry, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function after(one, other)
  local ms, seq = parts(one)
  local other_ms, other_seq = parts(other)
  return ms > other_ms or (ms == other_ms and seq > other_seq)
end

-- Changed again since it was read, a message stays pending.
for i = 5, #ARGV, 2 do
  if redis.call('HGET', changes, ARGV[i]) == ARGV[i + 1] then
    redis.call('ZREM', pending, ARGV[i])
  end
end

-- Of an archiver that outlived its lease this may go back: then some is read once more.
redis.call('SET', archived, last)

-- Nothing leaves the stream before the archive has it as it is.
local bound = last
-- The first is one of the earliest millisecond; which of that comes first, their order as
-- texts does not say ('-10' is before '-9').
local first = redis.call('ZRANGE', pending, 0, 0)[1]
if first and parts(first) <= parts(bound) then
  bound = '(' .. string.match(first, '^%d+') .. '-0'
end
local length = redis.call('XLEN', stream)
local excess = length - tonumber(ARGV[3])
if excess > 0 then
  local oldest = redis.call('XRANGE', stream, '-', bound, 'COUNT', excess)
  for _, entry in ipairs(oldest) do
    redis.call('HDEL', changes, entry[1])
  end
  redis.call('XTRIM', stream, 'MAXLEN', length - #oldest)
end

local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if first or (newest and after(newest[1], last)) then
  redis.call('ZADD', dirty, now_ms(), room)
else
  redis.call('ZREM', dirty, room)
  for _, key in ipairs({stream, changes, archived}) do
    redis.call('PEXPIRE', key, ARGV[4])
  end
end
