import { render } from "preact";
import { Page } from "./page";
import "./style.css";
import { preferred, speak } from "./text";

speak(preferred());
render(<Page />, document.getElementById("page")!);
