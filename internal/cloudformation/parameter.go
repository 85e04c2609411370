package cloudformation

import (
	"fmt"
	"math/big"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
)

// maxParameterValue is the longest value of a parameter, in bytes: CloudFormation quotas.
const maxParameterValue = 4096

// maxPatterns bounds the patterns of all parameters of a template, in steps of regular expressions. It is a bound of
// ours: those of people have some dozens.
const maxPatterns = 20000

// Parameter is the declaration of a parameter.
type Parameter struct {
	Name        string
	Type        string // String, Number, List<Number> or CommaDelimitedList
	Default     *string
	Description string
	NoEcho      bool // its value is not shown

	AllowedValues         []string
	AllowedPattern        string
	ConstraintDescription string

	pattern              *regexp.Regexp
	steps                int // of the pattern
	minLength, maxLength *int
	minValue, maxValue   *big.Rat
}

func (p *Parameter) isList() bool { return p.Type == "CommaDelimitedList" || p.Type == "List<Number>" }

// parseParameter reads one declaration ("Template parameters").
func parseParameter(name string, n node) (*Parameter, error) {
	if !alphanumeric(name, 255) {
		return nil, malformed("Parameter name %s is non alphanumeric.", fault.Plain(name))
	}
	if n.kind != kindObject {
		return nil, malformed("Every Parameters object must contain a Type member%s", n.where())
	}
	p := &Parameter{Name: name}
	for i, attribute := range n.names {
		if err := p.read(attribute, n.items[i]); err != nil {
			return nil, err
		}
	}
	switch {
	case p.Type == "":
		return nil, malformed("Every Parameters object must contain a Type member%s", n.where())
	case p.Default != nil:
		if err := p.check(*p.Default); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// read reads one attribute of a declaration.
func (p *Parameter) read(attribute string, n node) (err error) {
	if attribute == "AllowedValues" {
		texts, ok := n.texts()
		if !ok || len(texts) == 0 {
			return malformed("Parameter '%s': AllowedValues must be a list of strings%s", p.Name, n.where())
		}
		p.AllowedValues = texts
		return nil
	}
	if n.kind != kindScalar {
		return malformed("Parameter '%s': %s must be a string, is %s%s", p.Name, fault.Plain(attribute), n.kind, n.where())
	}
	switch attribute {
	case "Type":
		err = p.readType(n.text)
	case "Default":
		p.Default = &n.text
	case "Description":
		p.Description = n.text
	case "NoEcho":
		p.NoEcho, err = strconv.ParseBool(strings.ToLower(n.text))
	case "ConstraintDescription":
		p.ConstraintDescription = n.text
	case "AllowedPattern":
		p.AllowedPattern = n.text
		p.pattern, p.steps, err = compilePattern("^(?:" + n.text + ")$")
	case "MinLength":
		p.minLength, err = wholeNumber(n.text)
	case "MaxLength":
		p.maxLength, err = wholeNumber(n.text)
	case "MinValue":
		p.minValue, err = decimal(n.text)
	case "MaxValue":
		p.maxValue, err = decimal(n.text)
	default:
		return malformed("Invalid template parameter property '%s'%s", fault.Plain(attribute), n.where())
	}
	if err != nil && !isRefusal(err) {
		return malformed("Parameter '%s': %s %s cannot be read: %v", p.Name, attribute, fault.Plain(n.text), err)
	}
	return err
}

// compilePattern compiles a pattern and counts its steps: each may be taken once per character of a value, and a few
// characters of a pattern can be millions.
func compilePattern(text string) (*regexp.Regexp, int, error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, 0, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, 0, err
	}
	if len(program.Inst) > maxPatterns {
		return nil, 0, fmt.Errorf("it has %d steps, %d are allowed", len(program.Inst), maxPatterns)
	}
	pattern, err := regexp.Compile(text)
	return pattern, len(program.Inst), err
}

func (p *Parameter) readType(text string) error {
	switch text {
	case "String", "Number", "List<Number>", "CommaDelimitedList":
		p.Type = text
		return nil
	}
	if strings.HasPrefix(text, "AWS::") || strings.HasPrefix(text, "List<AWS::") {
		return absent("the parameter type %s", fault.Plain(text))
	}
	return malformed("Unrecognized parameter type: %s", fault.Plain(text))
}

// check holds a value against the declaration. A value that is not to be shown is in no message.
func (p *Parameter) check(value string) error {
	if len(value) > maxParameterValue {
		return invalid("Parameter '%s' has %d bytes, %d are allowed", p.Name, len(value), maxParameterValue)
	}
	values := []string{value}
	if p.isList() {
		values = splitList(value)
	}
	for _, v := range values {
		if words := p.breaks(v); words != "" {
			if p.ConstraintDescription != "" {
				return invalid("Parameter '%s' failed to satisfy constraint: %s", p.Name, p.ConstraintDescription)
			}
			return invalid("Parameter '%s' %s", p.Name, words)
		}
	}
	return nil
}

// breaks says which rule a single value breaks, "" if none.
func (p *Parameter) breaks(v string) string {
	if p.Type == "Number" || p.Type == "List<Number>" {
		if words := p.breaksNumber(v); words != "" {
			return words
		}
	}
	n := utf8.RuneCountInString(v)
	switch {
	case p.minLength != nil && n < *p.minLength:
		return "must contain at least " + itoa(*p.minLength) + " characters"
	case p.maxLength != nil && n > *p.maxLength:
		return "must contain at most " + itoa(*p.maxLength) + " characters"
	case p.AllowedValues != nil && !slices.Contains(p.AllowedValues, v):
		return "must be one of AllowedValues"
	case p.pattern != nil && !p.pattern.MatchString(v):
		return "must match pattern " + p.AllowedPattern
	}
	return ""
}

func (p *Parameter) breaksNumber(v string) string {
	number, err := decimal(v)
	switch {
	case err != nil:
		return "must be a number"
	case p.minValue != nil && number.Cmp(p.minValue) < 0:
		return "must be a number not less than " + p.minValue.RatString()
	case p.maxValue != nil && number.Cmp(p.maxValue) > 0:
		return "must be a number not greater than " + p.maxValue.RatString()
	}
	return ""
}

// node is a value as Ref gives it.
func (p *Parameter) node(value string) node {
	if !p.isList() {
		return scalar(value)
	}
	n := node{kind: kindList}
	for _, v := range splitList(value) {
		n.items = append(n.items, scalar(v))
	}
	return n
}

func splitList(value string) []string {
	values := strings.Split(value, ",")
	for i := range values {
		values[i] = strings.TrimSpace(values[i])
	}
	return values
}

// Input is a value of a parameter that a caller gives, or asks to be the one of before.
type Input struct {
	Key, Value  string
	UsePrevious bool
}

// bind gives each parameter its value: what is given, what was before, the default.
func (t *Template) bind(given []Input, before map[string]string) (map[string]string, error) {
	values := map[string]string{}
	var strange, without []string
	for _, in := range given {
		p := t.parameter(in.Key)
		if p == nil {
			strange = append(strange, fault.Plain(in.Key))
			continue
		}
		if _, twice := values[in.Key]; twice {
			return nil, invalid("Duplicate value for parameter key %s", in.Key)
		}
		value := in.Value
		if in.UsePrevious {
			var ok bool
			if value, ok = before[in.Key]; !ok {
				return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", in.Key)
			}
		}
		values[in.Key] = value
	}
	if len(strange) > 0 {
		return nil, invalid("Parameters: [%s] do not exist in the template", strings.Join(strange, ", "))
	}
	for _, p := range t.Parameters {
		if _, ok := values[p.Name]; !ok && p.Default != nil {
			values[p.Name] = *p.Default
		}
		value, ok := values[p.Name]
		if !ok {
			without = append(without, p.Name)
			continue
		}
		if err := p.check(value); err != nil {
			return nil, err
		}
	}
	if len(without) > 0 {
		return nil, invalid("Parameters: [%s] must have values", strings.Join(without, ", "))
	}
	return values, nil
}

func (t *Template) parameter(name string) *Parameter {
	i := slices.IndexFunc(t.Parameters, func(p *Parameter) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return t.Parameters[i]
}

// hasSecrets reports whether a parameter is not to be shown.
func (t *Template) hasSecrets() bool {
	return slices.ContainsFunc(t.Parameters, func(p *Parameter) bool { return p.NoEcho })
}

func wholeNumber(text string) (*int, error) {
	n, err := strconv.Atoi(text)
	return &n, err
}

// decimal reads a number without an exponent: a few characters of them are gigabytes of digits.
func decimal(text string) (*big.Rat, error) {
	if len(text) > 64 || strings.Trim(text, "+-.0123456789") != "" {
		return nil, strconv.ErrSyntax
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, strconv.ErrSyntax
	}
	return n, nil
}

// alphanumeric holds the name of something in a template against its pattern.
func alphanumeric(name string, longest int) bool {
	if name == "" || len(name) > longest {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
