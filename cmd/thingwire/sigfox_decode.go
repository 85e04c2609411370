package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/sigfox/payload"
)

func newSigfoxDecode(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "decode CONFIG HEX",
		Short: "Read a frame as a payload config cuts it",
		Long: `Cuts a frame into fields as a Sigfox callback with this custom payload config does, and says why a value is missing and
what of the config is probably not meant. It needs no server. HEX is the payload, 0 to 12 bytes; blanks in it are ignored.`,
		Example: `  thingwire sigfox decode 'temp::float:32' 41C8CCCD
  thingwire sigfox decode 'temp::float:32 hum::uint:8 open::bool:7' '41C8CCCD 3A 80' --output json`,
		Args: exactly("CONFIG", "HEX"),
	}
	output := outputFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		config, err := payload.Parse(args[0])
		if err != nil {
			return asUsage(err)
		}
		data, err := frameOf(args[1])
		if err != nil {
			return err
		}
		d := decodeFrame(config, data)
		if asJSON {
			return w.printJSON(d)
		}
		text, err := d.table()
		w.printf("%s", text)
		return err
	}
	return cmd
}

// frameOf reads a payload as people write one.
func frameOf(text string) ([]byte, error) {
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		return nil, usage("%q is no payload: use an even number of hex digits", text)
	}
	if len(data) > payload.FrameBytes {
		return nil, usage("the payload has %d bytes, a Sigfox frame carries at most %d", len(data), payload.FrameBytes)
	}
	return data, nil
}

// decoded is a frame with what was found in it.
type decoded struct {
	Data   string         `json:"data"`
	Fields []decodedField `json:"fields"`
	Hints  []string       `json:"hints"`
}

// decodedField is one field and its value, which is null in JSON where it is missing.
type decodedField struct {
	Name         string          `json:"name"`
	Type         string          `json:"type"`
	Bits         int             `json:"bits"`
	FirstBit     int             `json:"firstBit"`
	LittleEndian bool            `json:"littleEndian"`
	Value        json.RawMessage `json:"value"`
	text         string
}

func decodeFrame(config payload.Config, data []byte) decoded {
	d := decoded{Data: hex.EncodeToString(data), Fields: []decodedField{}, Hints: []string{}}
	d.Hints = slices.Concat(d.Hints, config.Explain(data), config.Lint())
	values := config.Decode(data)
	for i, f := range config.Fields() {
		v := values[i]
		value := json.RawMessage(v.Text)
		if v.Kind == payload.Char && !v.Missing {
			value, _ = json.Marshal(v.Text) // a string always is JSON
		}
		d.Fields = append(d.Fields, decodedField{
			Name: f.Name, Type: f.Kind.String(), Bits: f.Bits, FirstBit: f.FirstBit, LittleEndian: f.LittleEndian, Value: value, text: v.Text,
		})
	}
	return d
}

// table is for people.
func (d decoded) table() (string, error) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	if len(d.Fields) > 0 {
		_, _ = fmt.Fprintf(table, "FIELD\tTYPE\tWHERE\tVALUE\n")
	}
	for _, f := range d.Fields {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Name, f.typeText(), f.where(), plainText(f.text))
	}
	if err := table.Flush(); err != nil {
		return "", err
	}
	for _, hint := range d.Hints {
		_, _ = fmt.Fprintf(&text, "hint: %s\n", hint)
	}
	return text.String(), nil
}

func (f decodedField) typeText() string {
	switch {
	case f.Type == payload.Bool.String():
		return f.Type
	case f.Type == payload.Char.String():
		return fmt.Sprintf("%s:%d", f.Type, f.Bits/8)
	case f.LittleEndian:
		return fmt.Sprintf("%s:%d little-endian", f.Type, f.Bits)
	}
	return fmt.Sprintf("%s:%d", f.Type, f.Bits)
}

// where says bytes, and bits as the grammar counts them, 7 the most significant, where the field does not fill its bytes.
func (f decodedField) where() string {
	first, last := f.FirstBit, f.FirstBit+f.Bits-1
	if first/8 == last/8 && f.Bits < 8 {
		if f.Bits == 1 {
			return fmt.Sprintf("byte %d bit %d", first/8, 7-first%8)
		}
		return fmt.Sprintf("byte %d bits %d-%d", first/8, 7-first%8, 7-last%8)
	}
	if first%8 != 0 || last%8 != 7 {
		return fmt.Sprintf("byte %d bit %d to byte %d bit %d", first/8, 7-first%8, last/8, 7-last%8)
	}
	if first/8 == last/8 {
		return fmt.Sprintf("byte %d", first/8)
	}
	return fmt.Sprintf("bytes %d-%d", first/8, last/8)
}
