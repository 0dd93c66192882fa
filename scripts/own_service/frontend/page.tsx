"use client";

import { useEffect, useState } from "react";

const API_URL = process.env.NEXT_PUBLIC_API_URL;

export default function Page() {
  const [text, setText] = useState("…");
  useEffect(() => {
    fetch(`${API_URL}/`)
      .then((response) => response.text())
      .then(setText, (error) => setText(String(error)));
  }, []);
  return (
    <main>
      <p>The API says: {text}</p>
      <a href={`${API_URL}/docs`}>Its documentation</a>
    </main>
  );
}
