-- wrk: signed webhooks read from a file, one per line: the signature, a tab, the body.
-- Arguments: the file, and "again" to begin anew at its end. Without, each is sent once and wrk
-- stops when there are no more.

local path, lines, again

function init(arguments)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  path, again = arguments[1], arguments[2] == "again"
  lines = io.lines(path)
end

function request()
  local line = lines and lines()
  if not line and again then
    lines = io.lines(path)
    line = lines()
  end
  if not line then
    lines = nil
    wrk.thread:stop()
    return wrk.format("GET", "/livez")
  end
  local tab = line:find("\t", 1, true)
  wrk.headers["X-Hub-Signature-256"] = line:sub(1, tab - 1)
  return wrk.format(nil, nil, nil, line:sub(tab + 1))
end
