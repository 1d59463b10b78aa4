-- A player waits no more. One who is being paired cannot leave.
-- KEYS: queue, away, ticket. ARGV: player. Returns the state before ('' for none).
local state = redis.call('HGET', KEYS[3], 'state') or ''
if state == 'waiting' or state == 'away' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('DEL', KEYS[3])
end
return state
