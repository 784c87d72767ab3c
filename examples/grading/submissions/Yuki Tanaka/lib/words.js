exports.words = (text) => text.toLowerCase().match(/\p{L}+(?:'\p{L}+)*/gu) ?? [];
