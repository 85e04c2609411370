package dataplane

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
)

// pairOverhead is what a pair takes in a packet beside its texts: an identifier and two lengths (MQTT 5, 3.3.2.3.7).
const pairOverhead = 5

// readUserProperties decodes the header: base64 of a JSON array of objects with one pair each, in their order, duplicates
// and all. boto3 encodes a string that it is given once more, so that a JSON string with this text inside is as good. null
// stands for none.
//
// Values are strings, as in every example of AWS's. What a number or a boolean would be as a property nobody says, so they
// are refused rather than turned into text.
func readUserProperties(header string, most int) ([]broker.UserProperty, error) {
	text, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return nil, errUser("it is not base64: %v", err)
	}
	var inner string
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '"' {
		if !utf8.Valid(text) {
			return nil, errUser("it is not UTF-8")
		}
		if err := json.Unmarshal(text, &inner); err != nil {
			return nil, errUser("%v", err)
		}
		text = []byte(inner)
	}
	r := userReader{dec: json.NewDecoder(bytes.NewReader(text)), room: most}
	if !utf8.Valid(text) {
		return nil, errUser("it is not UTF-8")
	}
	if err := r.array(); err != nil {
		return nil, err
	}
	return r.pairs, nil
}

func errUser(format string, args ...any) error {
	return fault.New(fault.Invalid, "the header "+headerUser+" cannot be used: "+format, args...).
		WithRemedy(`give base64 of a JSON array of objects with one pair of strings each, such as [{"deviceName":"alpha"},{"deviceCnt":"45"}]`)
}

// userReader reads the array token by token: a map would lose order and duplicates.
type userReader struct {
	dec   *json.Decoder
	room  int // bytes that are left
	pairs []broker.UserProperty
}

func (r *userReader) array() error {
	t, err := r.dec.Token()
	switch {
	case err != nil:
		return errSyntax(err)
	case t == nil:
		return r.end()
	case t != json.Delim('['):
		return errUser("it holds no array")
	}
	for r.dec.More() {
		if err := r.object(); err != nil {
			return err
		}
	}
	if _, err := r.dec.Token(); err != nil {
		return errSyntax(err)
	}
	return r.end()
}

// end refuses what follows the array.
func (r *userReader) end() error {
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return errUser("something follows the array")
	}
	return nil
}

// object reads an element of the array: one pair.
func (r *userReader) object() error {
	at := len(r.pairs)
	t, err := r.dec.Token()
	if err != nil {
		return errSyntax(err)
	}
	if t != json.Delim('{') {
		return errUser("element %d is no object", at)
	}
	if !r.dec.More() {
		return errUser("element %d has no pair", at)
	}
	key, err := r.text(at)
	if err != nil {
		return err
	}
	value, err := r.text(at)
	if err != nil {
		return err
	}
	if r.dec.More() {
		return errUser("element %d has more than one pair", at)
	}
	if _, err := r.dec.Token(); err != nil {
		return errSyntax(err)
	}
	if r.room -= pairOverhead + len(key) + len(value); r.room < 0 {
		return errUser("they are over the limit of 8 KB")
	}
	r.pairs = append(r.pairs, broker.UserProperty{Key: key, Value: value})
	return nil
}

// text reads a name or a value.
func (r *userReader) text(at int) (string, error) {
	t, err := r.dec.Token()
	if err != nil {
		return "", errSyntax(err)
	}
	s, ok := t.(string)
	if !ok {
		return "", errUser("the value in element %d is no string", at)
	}
	return s, checkText("a user property", s)
}

func errSyntax(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return errUser("%v", err)
}

// appendUserProperties writes properties as the header has them before base64.
func appendUserProperties(dst []byte, user []broker.UserProperty) ([]byte, error) {
	dst = append(dst, '[')
	for i, u := range user {
		if i > 0 {
			dst = append(dst, ',')
		}
		key, err := json.Marshal(u.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(u.Value)
		if err != nil {
			return nil, err
		}
		dst = append(append(append(append(append(dst, '{'), key...), ':'), value...), '}')
	}
	return append(dst, ']'), nil
}
