-- An event gets its place in the order of all events, is kept, and goes out, in one step.
-- KEYS: last, epoch, stream
-- ARGV: channel, packet without its end, sid that is left out ('-' for none), epoch to begin
--       if need be, events kept, ms that they are kept, the newest id that the caller knows
--       of, the event's token, '1' if it may have been published before
-- Returns its id.
if ARGV[9] == '1' then
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', ARGV[5])) do
    if entry[2][6] == ARGV[8] then
      return string.match(entry[1], '%d+')
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
local now = now_ms()
-- By the clock, so that no id is ever given twice, even if the store lost its last ones.
local id = math.max(now * 1024, last + 1, known + 1)
local text = string.format('%.0f', id)
local packet = ARGV[2] .. ',"' .. epoch .. '-' .. text .. '"]'
redis.call('SET', KEYS[1], text)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], text .. '-0', 'p', packet, 's', ARGV[3], 't', ARGV[8])
redis.call('XTRIM', KEYS[3], 'MINID', '~', string.format('%.0f', (now - ARGV[6]) * 1024))
redis.call('PEXPIRE', KEYS[3], ARGV[6])
redis.call('PUBLISH', ARGV[1], text .. ' ' .. ARGV[3] .. ' ' .. packet)
return text
