-- An event gets its place in the order of all events, is kept, and goes out, in one step.
-- KEYS: last, epoch, stream, mark of an event that is published once
-- ARGV: channel, packet without its end, sid that is left out ('-' for none), epoch to begin
--       if need be, events kept, ms that they are kept, the newest id that the caller knows
--       of, the event's token, since when (ms) it may have been published ('' for not at
--       all), ms that a mark is kept, the command that publishes
-- Returns epoch-id; the id is 0 if it was published before.
local now = now_ms()
if ARGV[9] ~= '' then
  if not redis.call('SET', KEYS[4], 1, 'NX', 'PX', ARGV[10]) then
    return '-0'
  end
end
-- Older than a mark is kept, or tried first without one.
if ARGV[9] ~= '' and now - ARGV[9] > tonumber(ARGV[10]) then
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', ARGV[5])) do
    if entry[2][6] == ARGV[8] then
      return '-0'
    end
  end
end
local known, last = tonumber(ARGV[7]), tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch = redis.call('GET', KEYS[2])
-- A store that lost events which somebody has heard holds another log from now on.
if not epoch or last < known then
  epoch = ARGV[4]
  redis.call('SET', KEYS[2], epoch)
end
-- By the clock, so that no id is ever given twice, even if the store lost its last ones.
local id = math.max(now * 1024, last + 1, known + 1)
local text = string.format('%.0f', id)
local packet = ARGV[2] .. ',"' .. epoch .. '-' .. text .. '"]'
redis.call('SET', KEYS[1], text)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], text .. '-0', 'p', packet, 's', ARGV[3], 't', ARGV[8])
redis.call('XTRIM', KEYS[3], 'MINID', '~', string.format('%.0f', (now - ARGV[6]) * 1024))
redis.call('PEXPIRE', KEYS[3], ARGV[6])
redis.call(ARGV[11], ARGV[1], text .. ' ' .. ARGV[3] .. ' ' .. packet)
return epoch .. '-' .. text
