-- wrk: one opt-in per request, each for a number that was never used before.
-- Arguments: the first number's place. 0890 is handed out to no operator in Indonesia.

local at = 0

function init(arguments)
  at = tonumber(arguments[1])
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  local body = string.format(
    '{"number":"+62890%08d","topics":["order_updates"],'
      .. '"source":{"type":"web_form","url":"https://shop.example/checkout","reference":"%d"}}',
    at, at)
  at = at + 1
  return wrk.format(nil, nil, nil, body)
end
