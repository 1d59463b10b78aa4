-- Take pairs out of the queue, each if both still wait with the ticket that was looked at.
-- KEYS: queue, pairs. ARGV: key prefix, lease in ms, then for each pair its id, and of both
--       the player and his ticket's id. Returns the ids of the pairs that were taken.
local due = now_ms() + ARGV[2]
local taken = {}

local function waits(player, id)
  local found = redis.call('HMGET', ARGV[1] .. 'ticket:' .. player, 'id', 'state')
  return found[1] == id and found[2] == 'waiting'
end

for i = 3, #ARGV, 5 do
  local pair, first, second = ARGV[i], ARGV[i + 1], ARGV[i + 3]
  if waits(first, ARGV[i + 2]) and waits(second, ARGV[i + 4]) then
    for _, player in ipairs({first, second}) do
      redis.call('ZREM', KEYS[1], player)
      redis.call('HSET', ARGV[1] .. 'ticket:' .. player, 'state', 'claimed')
    end
    redis.call('HSET', ARGV[1] .. 'pair:' .. pair, 'first', first, 'second', second)
    redis.call('ZADD', KEYS[2], due, pair)
    taken[#taken + 1] = pair
  end
end
return taken
