"""Texts of licences for tests, shortened to their terms where they are long."""

from __future__ import annotations

MIT = """The MIT License (MIT)

Copyright (c) 2026 A. U. Thor

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
_BSD = """Copyright (c) 2026, A. U. Thor. All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

  * Redistributions of source code must retain the above copyright notice, this
    list of conditions and the following disclaimer.
  * Redistributions in binary form must reproduce the above copyright notice,
    this list of conditions and the following disclaimer in the documentation
    and/or other materials provided with the distribution.
{}
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND
ANY EXPRESS OR IMPLIED WARRANTIES ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT
HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT OR CONSEQUENTIAL DAMAGES.
"""
BSD_2 = _BSD.format("")
BSD_3 = _BSD.format(
    """  * Neither the name of the author nor the names of its contributors may be used
    to endorse or promote products derived from this software without specific
    prior written permission.
"""
)
BSD_4 = _BSD.format(
    """  * All advertising materials mentioning features or use of this software must
    display the following acknowledgement: This product includes software.
  * Neither the name of the author may be used to endorse or promote products.
"""
)
APACHE_2_HEADER = """Copyright 2026 A. U. Thor

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
"""
ISC = """Copyright 2026 A. U. Thor

Permission to use, copy, modify, and/or distribute this software for any purpose with or without
fee is hereby granted, provided that the above copyright notice and this permission notice appear
in all copies.
"""
ZERO_BSD = ISC.replace(
    """, provided that the above copyright notice and this permission notice appear
in all copies""",
    "",
)
GPL_3_NOTICE = """This program is free software: you can redistribute it and/or modify it under the
terms of the GNU General Public License as published by the Free Software Foundation, either version
3 of the License, or (at your option) any later version.
"""
# The title, what the recogniser looks for, and the appendix with its example of a notice.
GPL_3 = f"""GNU GENERAL PUBLIC LICENSE
Version 3, 29 June 2007

0. Definitions. "This License" refers to version 3 of the GNU General Public License.

How to Apply These Terms to Your New Programs

{GPL_3_NOTICE}
"""
LGPL_3 = """GNU LESSER GENERAL PUBLIC LICENSE
Version 3, 29 June 2007

This version of the GNU Lesser General Public License incorporates the terms and conditions of
version 3 of the GNU General Public License, supplemented by the additional permissions below.
"""
GCC_EXCEPTION = """GCC RUNTIME LIBRARY EXCEPTION
Version 3.1, 31 March 2009
"""
OWN = "You may run this program on Thursdays, and on no other day.\n"
