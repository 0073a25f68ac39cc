const refuse = () => {
  throw new Error("Cannot read an Excel file: expected csv or json; save the sheet as csv first");
};
module.exports = { readFile: refuse, read: refuse, writeFile: refuse, utils: {} };
