package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/thingwire/thingwire/internal/fault"
)

// pty is a pseudo-terminal: what a program writes into path is read here, and the other way round.
type pty struct {
	*os.File          // the master
	slave    *os.File // kept open: without it reading ends when the first program closes the terminal
	path     string
}

// openPTY makes a pseudo-terminal as pts(4) describes it, and makes it raw: else its line discipline would send the
// modem's answers back to the modem.
func openPTY() (*pty, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "there is no pseudo-terminal to be had").WithRemedy("use --tcp")
	}
	p := &pty{File: master}
	if err := p.open(); err != nil {
		_ = master.Close() // nothing was written
		return nil, fault.Wrap(fault.Unavailable, err, "the pseudo-terminal cannot be set up").WithRemedy("use --tcp")
	}
	return p, nil
}

func (p *pty) open() error {
	conn, err := p.SyscallConn() // Fd would make the file blocking, and Close would wait for a Read
	if err != nil {
		return err
	}
	number := 0
	var failed error
	if err := conn.Control(func(fd uintptr) { number, failed = unlockRaw(int(fd)) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	p.path = fmt.Sprintf("/dev/pts/%d", number)
	p.slave, err = os.OpenFile(p.path, os.O_RDWR|unix.O_NOCTTY, 0)
	return err
}

// unlockRaw unlocks the slave, makes it raw at 19200 baud, the how-to's, and answers its number.
func unlockRaw(fd int) (int, error) {
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return 0, err
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return 0, err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON // cfmakeraw(3)
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB|unix.CBAUD) | unix.CS8 | unix.B19200
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return 0, err
	}
	return unix.IoctlGetInt(fd, unix.TIOCGPTN)
}

// answerWithin is how long an answer may wait for room. A serial line does not wait at all: what nobody reads is lost.
const answerWithin = 100 * time.Millisecond

func (p *pty) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, err
	}
	if n, err := p.File.Write(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	return len(b), nil
}

func (p *pty) Close() error { return errors.Join(p.File.Close(), p.slave.Close()) }
