// The page's elements: finding them, filling them, and showing what went wrong. It calls nobody.

import { problemOf } from "./problem.ts";

/** The element of an id, of the kind that it must be. */
export function at<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}
export const form = (id: string) => at(id, HTMLFormElement);
export const button = (id: string) => at(id, HTMLButtonElement);
export const input = (id: string) => at(id, HTMLInputElement);

/** A new element. */
export function made<K extends keyof HTMLElementTagNameMap>(tag: K, words = "", className = ""): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.textContent = words;
  element.className = className;
  return element;
}

const fieldsOf = (where: HTMLElement) => [...where.querySelectorAll<HTMLInputElement>("[data-field]")];

/** Shows an error under its form, and at the fields it speaks of. */
export function complain(where: HTMLFormElement, error: unknown): void {
  const { title, fields, reason, requestId } = problemOf(error);
  const box = where.querySelector<HTMLElement>("[data-problem]");
  if (box === null) throw error;
  box.id ||= `${where.id}-problem`;
  const parts: HTMLElement[] = [made("p", title)];
  if (fields.length > 0) {
    const list = made("ul");
    for (const { field, description } of fields) {
      const named = fieldsOf(where).find((element) => element.dataset.field === field);
      named?.setAttribute("aria-invalid", "true");
      named?.setAttribute("aria-describedby", box.id);
      const label = named?.labels?.[0]?.textContent ?? field;
      list.append(made("li", `${label}: ${description}`));
    }
    parts.push(list);
  }
  const notes = [reason, requestId && `request ${requestId}`].filter(Boolean).join(" · ");
  if (notes !== "") parts.push(made("small", notes));
  box.replaceChildren(...parts);
  where.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
}

/** Why there is a pause, in words. */
export function interruption(error: unknown): string {
  return problemOf(error).reason === "OVERLOADED" ? "The mesh is busy. Trying again …" : "Connection lost. Picking it up again …";
}

/** Takes an error away again. */
export function forgive(where: HTMLFormElement): void {
  where.querySelector("[data-problem]")?.replaceChildren();
  for (const field of fieldsOf(where)) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

/** What a form does: one thing at a time, and its errors under it. */
export function onSubmit(where: HTMLFormElement, act: (how: string) => Promise<void>): void {
  where.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (where.ariaBusy === "true") return;
    where.ariaBusy = "true";
    forgive(where);
    try {
      await act(event.submitter instanceof HTMLButtonElement ? event.submitter.value : "");
    } catch (error) {
      complain(where, error);
    } finally {
      where.ariaBusy = "false";
    }
  });
}

/** Writes words into an element. */
export function tell(id: string, words: string): void {
  at(id, HTMLElement).textContent = words;
}
