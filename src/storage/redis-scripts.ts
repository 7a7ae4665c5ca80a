/**
 * The scripts that run inside Redis. Each changes keys of one hash slot only, and each is safe to send twice: a write that finds its
 * own version or mark in place has happened already. Layouts that they cut by position stand in `redis-entry.ts`.
 */
import { hash } from 'node:crypto'

export interface Script {
  readonly text: string
  readonly sha: string
}

/** All of them. */
export const scripts: Script[] = []

function script(text: string): Script {
  const made = { text, sha: hash('sha1', text, 'hex') }
  scripts.push(made)
  return made
}

/**
 * Compare-and-set of an entry. ARGV: version expected ('' for none or an expired one), new version, new envelope, lifetime in ms (0: none), now.
 * 1 when written; otherwise the envelope that is there, or nil.
 */
export const writeScript = script(`
local head = redis.call('GETRANGE', KEYS[1], 0, 38)
local found = ''
if #head == 39 then
  found = string.sub(head, 1, 24)
  if found == ARGV[2] then return 1 end
  local expires = tonumber(string.sub(head, 25))
  if ARGV[1] == '' and expires ~= 0 and expires <= tonumber(ARGV[5]) then found = '' end
end
if found ~= ARGV[1] then return redis.call('GET', KEYS[1]) end
if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[3]) else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
return 1`)

/** Removes an entry if it still has that version. ARGV: version. 1 when removed; otherwise the envelope that is there, or nil. */
export const removeScript = script(`
if redis.call('GETRANGE', KEYS[1], 0, 23) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return redis.call('GET', KEYS[1])`)

/**
 * Claims a unique value. ARGV: mark, id, lifetime in ms (0: none), the claim that may be taken over ('' for none).
 * 1 when claimed; {'same', claim before} when the same id had claimed it; {'held', claim, ms since it was made} otherwise.
 */
export const claimScript = script(`
local before = redis.call('GET', KEYS[1])
local time = redis.call('TIME')
local ms = string.format('%015.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local lifetime = tonumber(ARGV[3])
local same = false
if before then
  if string.sub(before, 1, 24) == ARGV[1] then return 1 end
  same = string.sub(before, 40) == ARGV[2]
  if not same and before ~= ARGV[4] then return {'held', before, tonumber(ms) - tonumber(string.sub(before, 25, 39))} end
  local left = redis.call('PTTL', KEYS[1])
  if same and left < 0 then lifetime = 0 end
  if same and lifetime > 0 and left > lifetime then lifetime = left end
end
local claim = ARGV[1] .. ms .. ARGV[2]
if lifetime == 0 then redis.call('SET', KEYS[1], claim) else redis.call('SET', KEYS[1], claim, 'PX', lifetime) end
if same then return {'same', before} end
return 1`)

/** Gives a claim up if it still has that mark. ARGV: mark, the claim to put back ('' for none). */
export const releaseScript = script(`
if redis.call('GETRANGE', KEYS[1], 0, 23) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL') end
return 1`)

/** Lets a claim or a group live at least that long. ARGV: lifetime in ms (0: for ever). */
export const extendScript = script(`
local left = redis.call('PTTL', KEYS[1])
if left < 0 then return 0 end
if ARGV[1] == '0' then return redis.call('PERSIST', KEYS[1]) end
if tonumber(ARGV[1]) > left then return redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 0`)

/** Adds a member to a group. ARGV: place and mark, id, lifetime in ms (0: none). The size of the group afterwards. */
export const joinScript = script(`
local left = redis.call('PTTL', KEYS[1])
local time = redis.call('TIME')
local ms = string.format('%015.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('ZREMRANGEBYLEX', KEYS[1], '[' .. ARGV[1], '(' .. ARGV[1] .. '~')
redis.call('ZADD', KEYS[1], 0, ARGV[1] .. ms .. ARGV[2])
if ARGV[3] == '0' then
  if left >= 0 then redis.call('PERSIST', KEYS[1]) end
elseif left == -2 or (left >= 0 and left < tonumber(ARGV[3])) then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return redis.call('ZCARD', KEYS[1])`)

/** Drops members that joined more than ARGV[1] ms ago by this server's clock. ARGV from 2: members. */
export const dropScript = script(`
local time = redis.call('TIME')
local before = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[1])
local dropped = 0
for i = 2, #ARGV do
  if tonumber(string.sub(ARGV[i], 41, 55)) < before then dropped = dropped + redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return dropped`)

/** Adds to a counter. ARGV: now, window in ms, amount, margin in ms. {count, end of the window}. */
export const countScript = script(`
local before = redis.call('GET', KEYS[1])
if before then
  local count, ends = string.match(before, '^(-?%d+) (%d+)$')
  if tonumber(ends) > tonumber(ARGV[1]) then
    count = string.format('%.0f', count + ARGV[3])
    redis.call('SET', KEYS[1], count .. ' ' .. ends, 'KEEPTTL')
    return {count, ends}
  end
end
local ends = string.format('%.0f', ARGV[1] + ARGV[2])
redis.call('SET', KEYS[1], ARGV[3] .. ' ' .. ends, 'PX', ARGV[2] + ARGV[4])
return {ARGV[3], ends}`)

/**
 * Continues a log. KEYS: records, tail, one index per record. ARGV: tail expected ('' for none), new tail, then sequence, time, hash and
 * JSON of each record. 1 when appended; otherwise the tail that is there ('' for none). No two processes continue one tail.
 */
export const appendScript = script(`
local tail = redis.call('GET', KEYS[2]) or ''
if tail == ARGV[2] then return 1 end
if tail ~= ARGV[1] then return tail end
for i = 3, #KEYS do
  local at = 3 + (i - 3) * 4
  redis.call('XADD', KEYS[1], ARGV[at] .. '-0', 't', ARGV[at + 1], 'h', ARGV[at + 2], 'r', ARGV[at + 3])
  redis.call('ZADD', KEYS[i], ARGV[at], ARGV[at])
end
redis.call('SET', KEYS[2], ARGV[2])
return 1`)

/** Records of one account, newest first. KEYS: records, index. ARGV: sequence to stay below, how many. */
export const readScript = script(`
local found = {}
for _, sequence in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '-inf', 'LIMIT', 0, ARGV[2])) do
  local record = redis.call('XRANGE', KEYS[1], sequence .. '-0', sequence .. '-0')[1]
  if record then found[#found + 1] = record end
end
return found`)
