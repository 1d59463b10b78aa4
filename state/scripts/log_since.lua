-- What was published to these rooms, to each after an id of its own, if nothing of it was
-- trimmed away.
-- KEYS: last, epoch, streams…
-- ARGV: id before which nothing is missed, events at most, events kept of a room, ms that
--       they are kept, then an id for each stream
-- Returns {epoch, last, 1 or 0 for complete, {id, sid left out, packet, stream's number}…}.
local proven, left = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept, retention = tonumber(ARGV[3]), tonumber(ARGV[4]) * 1024
local complete, events = true, {}

local function number(id)
  return tonumber(string.match(id, '%d+'))
end

-- Trimming takes the oldest. If a room has fewer than are kept, the last of it was by age.
local function is_complete(about, from)
  if about['entries-added'] == about['length'] then
    return true
  end
  local first = number(about['first-entry'][1])
  local by_age = about['length'] < kept
  return first <= from or first <= proven
    or (by_age and from >= number(about['last-generated-id']) - retention)
end

for i = 3, #KEYS do
  local info = redis.pcall('XINFO', 'STREAM', KEYS[i])
  if not info.err then
    local about, after = {}, ARGV[i + 2]
    for j = 1, #info, 2 do
      about[info[j]] = info[j + 1]
    end
    complete = complete and is_complete(about, tonumber(after))
    for _, entry in ipairs(redis.call('XRANGE', KEYS[i], '(' .. after .. '-0', '+', 'COUNT', left + 1)) do
      left = left - 1
      events[#events + 1] = {number(entry[1]), entry[2][4], entry[2][2], i - 3}
    end
    if left < 0 then
      complete = false
      break
    end
  end
end
for _, event in ipairs(events) do
  event[1] = string.format('%.0f', event[1])
end
return {redis.call('GET', KEYS[2]) or '', redis.call('GET', KEYS[1]) or '0', complete and 1 or 0, events}
