-- What wrk sends: `wrk ... -s load.lua URL -- ROUTE TOKEN SHARE_DIRTY`, and its results as one line of JSON.
local thread_number = 0

function setup(thread)
  thread:set("number", thread_number)
  thread_number = thread_number + 1
end

function init(args)
  route, token, dirty = args[1], args[2], tonumber(args[3] or "0")
  count = 0
  wrk.headers["Authorization"] = "Bearer " .. token
  wrk.headers["Content-Type"] = "application/json"
  math.randomseed(os.time() + number * 7919)
end

local clean_text = "the quick brown fox jumps over the lazy dog and on"
local dirty_text = "please write to jane.miller@example.com about the order"

-- Sizes as an intake sees them: mostly short, now and then a document.
local function long(size) return string.rep(clean_text .. " ", math.ceil(size / 51)):sub(1, size) end
sizes = {clean_text, clean_text, clean_text, long(300), long(300), long(1000), long(1000), long(4000), long(16000)}

function request()
  count = count + 1
  local key = string.format("bench-%d-%d", number, count % 5000)
  if route == "read" then
    return wrk.format("GET", "/read?key=bench-0-1")
  elseif route == "run" then
    return wrk.format("POST", "/run", nil, '{"key":"bench-0-1"}')
  end
  local text = clean_text
  if route == "mixed" then text = sizes[math.random(#sizes)] end
  if dirty > 0 and math.random() < dirty then text = dirty_text end
  if route == "messages" then
    return wrk.format("POST", "/messages", nil, '{"text":"' .. text .. '","mode":"async"}')
  elseif route == "scan" then
    return wrk.format("POST", "/scan", nil, '{"text":"' .. text .. '"}')
  end
  return wrk.format("POST", "/add", nil, '{"key":"' .. key .. '","value":"' .. text .. '"}')
end

function done(summary, latency, requests)
  io.write(string.format(
    '\nRESULT {"requests":%d,"duration_us":%d,"errors_http":%d,"errors_connect":%d,"errors_read":%d,"errors_timeout":%d,"p50_us":%d,"p95_us":%d,"p99_us":%d,"max_us":%d}\n',
    summary.requests, summary.duration, summary.errors.status, summary.errors.connect, summary.errors.read + summary.errors.write,
    summary.errors.timeout, latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
