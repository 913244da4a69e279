-- What wrk sends: `wrk ... -s tiers.lua URL -- TOKEN`: of 20 requests 12 store a clean value, 2 a leak, 3 have a stored value
-- processed, 3 send a message. Answers are counted by what they are: 200, 202, and 422 for the leaks; all else is an error.
local threads = {}
local thread_number = 0

function setup(thread)
  thread:set("number", thread_number)
  thread_number = thread_number + 1
  table.insert(threads, thread)
end

function init(args)
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  wrk.headers["Content-Type"] = "application/json"
  math.randomseed(os.time() + number * 7919)
  count, stored, accepted, refused, busy, failed = 0, 0, 0, 0, 0, 0
end

local clean_text = "the quick brown fox jumps over the lazy dog and on"
local dirty_text = "please write to jane.miller@example.com about the order"

function request()
  count = count + 1
  local turn = math.random(20)
  if turn <= 3 then
    return wrk.format("POST", "/run", nil, '{"key":"bench-0-1"}')
  elseif turn <= 6 then
    return wrk.format("POST", "/messages", nil, '{"text":"' .. clean_text .. '","mode":"async"}')
  end
  local key = string.format("bench-%d-%d", number, count % 5000)
  local text = turn <= 8 and dirty_text or clean_text
  return wrk.format("POST", "/add", nil, '{"key":"' .. key .. '","value":"' .. text .. '"}')
end

function response(status)
  if status == 200 then stored = stored + 1
  elseif status == 202 then accepted = accepted + 1
  elseif status == 422 then refused = refused + 1
  elseif status == 503 then busy = busy + 1
  else failed = failed + 1 end
end

function done(summary, latency, requests)
  local total = {stored = 0, accepted = 0, refused = 0, busy = 0, failed = 0}
  for _, thread in ipairs(threads) do
    for name, value in pairs(total) do total[name] = value + thread:get(name) end
  end
  io.write(string.format(
    '\nRESULT {"requests":%d,"duration_us":%d,"stored":%d,"accepted":%d,"refused":%d,"busy":%d,"failed":%d,"cut":%d,"timeouts":%d,"p50_us":%d,"p95_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, total.stored, total.accepted, total.refused, total.busy, total.failed,
    summary.errors.connect + summary.errors.read + summary.errors.write, summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
