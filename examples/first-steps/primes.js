const sieve = new Uint8Array(1_000_001);
let count = 0;
for (let n = 2; n < sieve.length; n++) {
  if (sieve[n]) continue;
  count++;
  for (let m = n * n; m < sieve.length; m += n) sieve[m] = 1;
}
console.log(`${count} primes below a million`);
