// What is younger than ES2015, so that a test can see that it would be found.
Object.entries({})
;[].includes(1)
Promise.resolve().finally(() => {})
'a'.padStart(2)
