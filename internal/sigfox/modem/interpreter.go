package modem

import "fmt"

// LineBytes is the longest line that is kept; the longest command has 32 bytes.
const LineBytes = 128

// Interpreter cuts the bytes of a line into commands. A command ends with CR, LF is ignored, and +++ at the beginning of a line
// is a command without any CR. A line over LineBytes is thrown away up to its CR and is one Bad command. The zero value
// is ready.
type Interpreter struct {
	line []byte
	lost int // bytes of a line that is too long
}

// Feed takes what came over the line and answers the commands that are complete with it.
func (i *Interpreter) Feed(p []byte) []Command {
	var commands []Command
	for _, b := range p {
		switch {
		case b == '\n':
		case b == '\r':
			if c, ok := i.end(); ok {
				commands = append(commands, c)
			}
		case len(i.line) == LineBytes:
			i.lost++
		default:
			i.line = append(i.line, b)
			if string(i.line) == "+++" {
				commands = append(commands, parseCommand("+++"))
				i.line = i.line[:0]
			}
		}
	}
	return commands
}

// end ends the line. An empty one is no command: the +++ before it was one already.
func (i *Interpreter) end() (Command, bool) {
	line, lost := string(i.line), i.lost
	i.line, i.lost = i.line[:0], 0
	if lost > 0 {
		return Command{Line: line, Why: fmt.Sprintf("it has %d bytes; no command has more than %d", len(line)+lost, LineBytes)}, true
	}
	return parseCommand(line), line != ""
}
