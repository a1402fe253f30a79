package suite

func eventsCases() []Case { return nil }
