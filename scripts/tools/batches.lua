-- wrk: bodies read from a file, one per line, in turns.
-- Arguments: the file.

local bodies = {}
local at = 0

function init(arguments)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  for line in io.lines(arguments[1]) do
    bodies[#bodies + 1] = wrk.format(nil, nil, nil, line)
  end
end

function request()
  at = at % #bodies + 1
  return bodies[at]
end
