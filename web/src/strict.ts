import { z } from "zod";

// Before any validator is made: the page may not make code of text, and need not try. So all take z from here
z.config({ jitless: true });

export { z };
