-- What was published to these rooms, to each after an id of its own, if nothing of it is gone.
-- KEYS: last, epoch, streams…
-- ARGV: id before which nothing is missed, events at most, events kept of a room, ms that
--       they are kept, then an id for each stream
-- Returns {epoch, last, 1 or 0 for complete, {id, sid left out, packet, stream's number}…}.
local proven, left = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept, floor = tonumber(ARGV[3]), (now_ms() - tonumber(ARGV[4])) * 1024
local complete, events = true, {}

local function number(id)
  return tonumber(string.match(id, '%d+'))
end

-- What went by age, with its whole stream perhaps, is below the floor. Trimming takes the
-- oldest: if a room has fewer than are kept, all that is gone from it went by age.
local function is_complete(about, from)
  local safe = math.max(from, proven)
  if safe < floor then
    return false
  end
  return not about or about['entries-added'] == about['length'] or about['length'] < kept
    or number(about['first-entry'][1]) <= safe
end

for i = 3, #KEYS do
  local info, about, after = redis.pcall('XINFO', 'STREAM', KEYS[i]), nil, ARGV[i + 2]
  if not info.err then
    about = {}
    for j = 1, #info, 2 do
      about[info[j]] = info[j + 1]
    end
    for _, entry in ipairs(redis.call('XRANGE', KEYS[i], '(' .. after .. '-0', '+', 'COUNT', left + 1)) do
      left = left - 1
      events[#events + 1] = {string.match(entry[1], '%d+'), entry[2][4], entry[2][2], i - 3}
    end
  end
  complete = complete and is_complete(about, tonumber(after))
  if left < 0 then
    complete = false
    break
  end
end
return {redis.call('GET', KEYS[2]) or '', redis.call('GET', KEYS[1]) or '0', complete and 1 or 0, events}
