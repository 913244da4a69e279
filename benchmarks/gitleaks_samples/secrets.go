// Package secrets makes up a text that an expression matches, the same ones in each run.
package secrets

import (
	"math/rand"
	"regexp/syntax"
	"strings"
)

const most = 10

var dice = rand.New(rand.NewSource(7))

func NewSecret(expression string) string {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		panic(err)
	}
	var text strings.Builder
	write(&text, parsed)
	return text.String()
}

func write(text *strings.Builder, part *syntax.Regexp) {
	least, largest := 1, 1
	switch part.Op {
	case syntax.OpLiteral:
		text.WriteString(string(part.Rune))
		return
	case syntax.OpCharClass:
		text.WriteRune(oneOf(part.Rune))
		return
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		text.WriteRune('x')
		return
	case syntax.OpAlternate:
		write(text, part.Sub[dice.Intn(len(part.Sub))])
		return
	case syntax.OpRepeat:
		least, largest = part.Min, part.Max
		if largest < 0 {
			largest = least + most
		}
	case syntax.OpStar:
		least, largest = 0, most
	case syntax.OpPlus:
		largest = most
	case syntax.OpQuest:
		least = 0
	}
	for times := least + dice.Intn(largest-least+1); times > 0; times-- {
		for _, sub := range part.Sub {
			write(text, sub)
		}
	}
}

// oneOf returns a visible ASCII character of a class, which is a list of ranges.
func oneOf(ranges []rune) rune {
	var known []rune
	for at := 0; at < len(ranges); at += 2 {
		for char := max(ranges[at], '!'); char <= min(ranges[at+1], '~'); char++ {
			known = append(known, char)
		}
	}
	return known[dice.Intn(len(known))]
}
