/**
 * Student's t quantile: the t with P(|T| ≤ t) = `confidence` for `degrees` degrees of freedom, a whole number from 1.
 * P is the finite series in θ = atan(t / √ν) of Abramowitz & Stegun (1964), 26.7.3 and 26.7.4; θ is found by bisection.
 */
export function studentQuantile(confidence: number, degrees: number): number {
  let [low, high] = [0, Math.PI / 2]
  // 60 halvings reach the resolution of a double.
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (probability(middle, degrees) < confidence) low = middle
    else high = middle
  }
  return Math.sqrt(degrees) * Math.tan(low)
}

/** P(|T| ≤ √ν tan θ). */
function probability(theta: number, degrees: number): number {
  const squared = Math.cos(theta) ** 2
  const isOdd = degrees % 2 === 1
  let term = isOdd ? Math.cos(theta) : 1
  let sum = degrees === 1 ? 0 : term
  for (let k = isOdd ? 2 : 1; k < degrees - 2; k += 2) {
    term *= (k / (k + 1)) * squared
    sum += term
  }
  return isOdd ? (2 / Math.PI) * (theta + Math.sin(theta) * sum) : Math.sin(theta) * sum
}
