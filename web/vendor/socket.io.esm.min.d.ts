/** The stock client's types come with its npm package; here is what the page uses of it. */
export function io(options: object): any;
