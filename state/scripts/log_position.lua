-- Where the log is. One that lost events which somebody has heard is another log from now on,
-- and so is one on a replica that was promoted: what it had not received, it cannot know.
-- KEYS: last, epoch, store
-- ARGV: epoch to begin if need be, the newest id that the caller knows of, the command that
--       publishes, the channel of all nodes, what they are told of a promotion
-- Returns {epoch, newest id}.
local known, last = tonumber(ARGV[2]), tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch, store = redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3])
-- A promotion gives a store a new replication id and keeps the former one beside it. A restart
-- from its own files gives it a new one too, and none beside it.
local info = redis.call('INFO', 'replication')
local id = string.match(info, 'master_replid:(%x+)')
local promoted = store and store ~= id and not string.find(info, 'second_repl_offset:-1', 1, true)
if store ~= id then
  redis.call('SET', KEYS[3], id)
end
if not epoch or last < known or promoted then
  epoch, last = ARGV[1], math.max(last, known)
  redis.call('SET', KEYS[2], epoch)
  redis.call('SET', KEYS[1], string.format('%.0f', last))
end
if promoted then
  redis.call(ARGV[3], ARGV[4], ARGV[5])
end
return {epoch, string.format('%.0f', last)}
