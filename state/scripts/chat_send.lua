-- A message passes all its checks and is written, or nothing is.
-- KEYS: stream, changes, archived, dirty, sent, mute, rate, refusals, ladder
-- ARGV: room, body, ms a client_id is known (0: none was given), messages in the window,
--       the window in ms, refusals that mute, ms in which they do, ms of the ladder's memory,
--       entries a stream may have, then the ladder's mutes in ms
-- Returns {'sent'|'again', entry, body}, {'muted', ms left}, {'limited', ms to wait},
--         {'limited', ms to wait, muted until} or {'full'}.
local stream, changes, archived, dirty, sent, mute, rate, refusals, ladder = unpack(KEYS)
local room, body, known_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = now_ms()

-- Of the last `limit` events in a list, newest first: when the oldest is out of the window.
local function free_at(list, limit, window)
  local oldest = redis.call('LINDEX', list, limit - 1)
  return oldest and tonumber(oldest) + window or 0
end

local function note(list, limit, window)
  redis.call('LPUSH', list, now)
  redis.call('LTRIM', list, 0, limit - 1)
  redis.call('PEXPIRE', list, window)
end

local function refuse(wait)
  local limit, window, memory = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
  note(refusals, limit, window)
  redis.call('PEXPIRE', ladder, memory)
  if free_at(refusals, limit, window) <= now then
    return {'limited', wait}
  end
  local step = math.min(redis.call('INCR', ladder), #ARGV - 9)
  local muted_ms = tonumber(ARGV[9 + step])
  redis.call('PEXPIRE', ladder, memory + muted_ms)
  redis.call('SET', mute, now + muted_ms, 'PX', muted_ms)
  redis.call('DEL', refusals)
  return {'limited', muted_ms, now + muted_ms}
end

if known_ms > 0 then
  local first = redis.call('GET', sent)
  if first then
    return {'again', string.match(first, '^(%S+) (.*)$')}
  end
end

local muted_ms = redis.call('PTTL', mute)
if muted_ms > 0 then
  return {'muted', muted_ms}
end

local messages, window = tonumber(ARGV[4]), tonumber(ARGV[5])
local free = free_at(rate, messages, window)
if free > now then
  return refuse(free - now)
end
if redis.call('XLEN', stream) >= tonumber(ARGV[9]) then
  return {'full'}
end

note(rate, messages, window)
local entry = redis.call('XADD', stream, '*', 'm', body)
if redis.call('ZADD', dirty, 'NX', now, room) == 1 then
  for _, key in ipairs({stream, changes, archived}) do
    redis.call('PERSIST', key)
  end
end
if known_ms > 0 then
  redis.call('SET', sent, entry .. ' ' .. body, 'PX', known_ms)
end
return {'sent', entry, body}
