package suite

func loadBalancerCases() []Case { return nil }
