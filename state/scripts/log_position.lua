-- Where the log is. One that lost events which somebody knows of is another log from now on,
-- and so is one on a replica that was promoted: what it had not received, it cannot know.
-- KEYS: last, epoch, store, stream of the newest event that the caller knows of
-- ARGV: epoch to begin if need be, the id and the epoch of that event, events kept of a room,
--       ms that they are kept, the command that publishes, the channel of all nodes, what
--       they are told then
-- Returns {epoch, newest id}.
local known, last = tonumber(ARGV[2]), tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch, store = redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3])

-- Gone, and neither by age nor by count. Replicas lack the end of a log, never its middle: who
-- has the newest event that somebody knows of has all that he knows of.
local function is_lost()
  if epoch ~= ARGV[3] or known < (now_ms() - ARGV[5]) * 1024 then
    return false
  end
  if #redis.call('XRANGE', KEYS[4], ARGV[2], ARGV[2]) > 0 then
    return false
  end
  local older = #redis.call('XRANGE', KEYS[4], '-', ARGV[2], 'COUNT', 1) > 0
  return older or redis.call('XLEN', KEYS[4]) < tonumber(ARGV[4])
end

-- A promotion gives a store a new replication id and keeps the former one beside it. A restart
-- from its own files gives it a new one too, and none beside it.
local info = redis.call('INFO', 'replication')
local id = string.match(info, 'master_replid:(%x+)')
local promoted = store and store ~= id and not string.find(info, 'second_repl_offset:-1', 1, true)
if store ~= id then
  redis.call('SET', KEYS[3], id)
end
if not epoch or last < known or promoted or is_lost() then
  epoch, last = ARGV[1], math.max(last, known)
  redis.call('SET', KEYS[2], epoch)
  redis.call('SET', KEYS[1], string.format('%.0f', last))
  redis.call(ARGV[6], ARGV[7], ARGV[8])
end
return {epoch, string.format('%.0f', last)}
